//! Types, values and the names that an expression may use.

use super::print::{name_in_source, quoted};
use crate::facts::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The type of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number of 64 bits with a sign.
    Int,
    /// Any number that is not infinite.
    Number,
    /// Text.
    String,
    /// A list whose items have all the same type.
    List(Box<Type>),
    /// Fits every type: the items of `[]`, and a parameter that takes anything.
    Any,
}

impl Type {
    /// A list of items of this type.
    pub fn list_of(item: Type) -> Self {
        Self::List(Box::new(item))
    }

    /// Whether a value of one type can stand where the other is expected.
    pub fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(one), Self::List(two)) => one.fits(two),
            (one, two) => one == two,
        }
    }

    /// Whether it is a number, whole or not: all of them are compared with each other.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Number)
    }

    /// The more exact of two types that fit each other: `list<int>` of `list<any>` and `list<int>`.
    pub(super) fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, known) | (known, Self::Any) => known,
            (Self::List(one), Self::List(two)) => Self::list_of(one.meet(*two)),
            (one, _) => one,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// A value that an expression can have. `Display` writes it as it would stand in an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Number(Decimal),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Value>),
}

impl Value {
    /// The type of the value; the items of an empty list are of any type.
    pub fn type_of(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(items) => Type::list_of(items.first().map_or(Type::Any, Self::type_of)),
        }
    }

    /// The number, when it is one, whole or not.
    pub(super) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Number(value) => Some(value.get()),
            _ => None,
        }
    }

    /// The boolean, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::String(value) => f.write_str(&quoted(value)),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(f, "{separator}{item}")?;
                }
                f.write_str("]")
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

/// The parameters and the result of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The type of each parameter.
    pub parameters: Vec<Type>,
    /// The type of the result.
    pub result: Type,
}

/// A name with its type, and the texts it can be when it is a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Declaration {
    of: Type,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<String>>,
    /// Whether the choices stand in order, the lowest first.
    #[serde(default)]
    ordered: bool,
}

/// The names and functions that an expression may use, each with its type.
///
/// A name is the whole path, `answers.risk`; there are no maps to look into. A segment may be anything without
/// a dot: what is no identifier is written in brackets, `steps['load-test'].number`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    names: BTreeMap<String, Declaration>,
    functions: BTreeMap<String, Signature>,
}

impl Environment {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name, or replaces it.
    pub fn declare(&mut self, name: impl Into<String>, of: Type) -> &mut Self {
        self.names.insert(name.into(), Declaration { of, choices: None, ordered: false });
        self
    }

    /// Adds a string that can only be one of these texts, so that a misspelt comparison is found.
    pub fn declare_choice<T: Into<String>>(
        &mut self,
        name: impl Into<String>,
        choices: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let choices = choices.into_iter().map(Into::into).collect();
        let declared = Declaration { of: Type::String, choices: Some(choices), ordered: false };
        self.names.insert(name.into(), declared);
        self
    }

    /// Adds a string that can only be one of these texts, the lowest first: `<` and `>=` compare by this order.
    pub fn declare_order<T: Into<String>>(
        &mut self,
        name: impl Into<String>,
        choices: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let name = name.into();
        self.declare_choice(name.as_str(), choices);
        if let Some(declared) = self.names.get_mut(&name) {
            declared.ordered = true;
        }
        self
    }

    /// Whether the texts that a name can be stand in an order of their own.
    pub fn is_ordered(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|declared| declared.ordered)
    }

    /// Adds a function, or replaces it.
    pub fn declare_function(
        &mut self,
        name: impl Into<String>,
        parameters: impl IntoIterator<Item = Type>,
        result: Type,
    ) -> &mut Self {
        let signature = Signature { parameters: parameters.into_iter().collect(), result };
        self.functions.insert(name.into(), signature);
        self
    }

    /// The type of a name.
    pub fn type_of(&self, name: &str) -> Option<&Type> {
        self.names.get(name).map(|declared| &declared.of)
    }

    /// The texts that a name can be, when it is a choice.
    pub fn choices(&self, name: &str) -> Option<&[String]> {
        self.names.get(name)?.choices.as_deref()
    }

    /// The signature of a function.
    pub fn function(&self, name: &str) -> Option<&Signature> {
        self.functions.get(name)
    }

    /// Every name with its type.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.names.iter().map(|(name, declared)| (name.as_str(), &declared.of))
    }

    /// Every function with its signature.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Signature)> {
        self.functions.iter().map(|(name, signature)| (name.as_str(), signature))
    }

    /// Every name as it is written in an expression.
    pub(super) fn names_in_source(&self) -> impl Iterator<Item = (&str, String)> {
        self.names.keys().map(|name| (name.as_str(), name_in_source(name)))
    }
}
