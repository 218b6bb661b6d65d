//! Reading what people typed as an answer.

use crate::event::AnswerValue;
use crate::model::AnswerType;

/// Whether an answer fits its question, read from what was typed.
pub(super) fn read_answer(answer: &AnswerType, text: &str) -> Result<AnswerValue, String> {
    let text = text.trim();
    match answer {
        AnswerType::YesNo => yes_or_no(text).map(AnswerValue::YesNo),
        AnswerType::Choice(choices) if choices.iter().any(|choice| choice == text) => {
            Ok(AnswerValue::Text(text.to_owned()))
        }
        AnswerType::Choice(choices) => Err(format!("the answer is one of {}", crate::plan::list(choices))),
        AnswerType::Integer { min } => match text.parse::<i64>() {
            Ok(number) if number >= *min => Ok(AnswerValue::Integer(number)),
            _ => Err(format!("the answer is a whole number, {min} or more")),
        },
        AnswerType::Text if text.chars().count() <= 2_000 && !text.is_empty() && is_plain(text) => {
            Ok(AnswerValue::Text(text.to_owned()))
        }
        AnswerType::Text => {
            Err("the answer is a text of up to 2,000 characters, without control characters".into())
        }
    }
}

/// Yes or no, as people type it.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" => Ok(true),
        "no" | "n" | "false" => Ok(false),
        _ => Err("the answer is `yes` or `no`".into()),
    }
}

/// Whether a text has no control characters but ends of lines and tabs.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}
