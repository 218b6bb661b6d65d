//! In which order releases go on, of a gate or a step.

use tollgate_core::model::Order;

use crate::tree::Node;

/// What stands under `order`; nothing where that is no order.
pub(super) fn order_of(node: &Node) -> Option<Order> {
    match node.get("order")?.text()? {
        "oldest-first" => Some(Order::OldestFirst),
        _ => None,
    }
}
