//! The one integration binary.

mod agreement;
mod layers;
mod licences;
mod nats;
mod standard_webhooks;
mod tidy;
