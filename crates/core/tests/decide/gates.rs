//! Gates of environments: approvals, questions, conditions, waivers.
