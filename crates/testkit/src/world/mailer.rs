//! A mail server that remembers what it delivered.

use async_trait::async_trait;
use tollgate_engine::ports::{Mail, Mailer, PortError};

use super::{SimWorld, lost_answer};

/// Delivers into the world, and counts.
#[derive(Debug, Clone)]
pub struct SimMailer(pub SimWorld);

#[async_trait]
impl Mailer for SimMailer {
    async fn delivered(&self, mail: &Mail) -> Result<Option<bool>, PortError> {
        self.0.outside("look for a mail").await?;
        Ok(Some(self.0.state().mail.contains_key(&mail.message_id)))
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), PortError> {
        let lost = self.0.outside("deliver a mail").await?;
        let mut state = self.0.state();
        state.note(|| format!("mail {} to {}", mail.message_id, mail.to.join(", ")));
        let count = state.mail.entry(mail.message_id.clone()).or_default();
        *count += 1;
        if *count > 1 {
            state.violation(format!("the mail {} was delivered twice", mail.message_id));
        }
        if lost { Err(lost_answer("deliver a mail")) } else { Ok(()) }
    }
}
