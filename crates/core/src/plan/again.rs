//! Plans that take up what was cut before: an ad-hoc promotion, and a rollback.

use super::{
    Cut, Items, PROMOTION, Plan, PlanError, PlannedStep, ROLLBACK, Rollback, unfold_promotion,
    unfold_rollback,
};
use crate::ids::EnvironmentName;
use crate::model::Policy;

impl Plan {
    /// The plan by which what this one cut goes into an environment, by the rules now.
    ///
    /// # Errors
    ///
    /// The environment has no promotion by these rules.
    pub fn promotion(&self, policy: &Policy, environment: &EnvironmentName) -> Result<Self, PlanError> {
        let steps = unfold_promotion(environment, policy, &self.items())?;
        self.again(PROMOTION, policy, steps)
    }

    /// The plan by which an environment goes back to what this one cut, by the rules now.
    ///
    /// # Errors
    ///
    /// The environment has no promotion by these rules.
    pub fn back(&self, policy: &Policy, rollback: Rollback) -> Result<Self, PlanError> {
        let steps = unfold_rollback(&rollback.environment, policy, &self.items())?;
        let plan = self.again(ROLLBACK, policy, steps)?;
        Ok(Self { rollback: Some(rollback), ..plan })
    }

    /// What is there to repeat steps for.
    fn items(&self) -> Items<'_> {
        let components = self.definition.components.keys().cloned().collect();
        Items { changes: &self.changes, changes_total: self.changes_total, components }
    }

    fn again(&self, procedure: &str, policy: &Policy, steps: Vec<PlannedStep>) -> Result<Self, PlanError> {
        Ok(Self {
            procedure: procedure.parse().map_err(PlanError::Id)?,
            steps,
            policy: policy.clone(),
            cut: Cut::default(),
            respin: None,
            rollback: None,
            ..self.clone()
        })
    }
}
