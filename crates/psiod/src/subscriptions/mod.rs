//! Telling the same again and again: who subscribed to what, and the ticks they are told at.
//!
//! Everybody who wants the same thing at the same interval is in one [`group`]. The [`ticker`] has the machine sampled
//! when groups are due, evaluates each once, puts the result in the group's slot and wakes its members; each
//! [`subscriber`] then sends whatever is newest when its client is ready for it, and skips what it missed. Who watches
//! processes is to miss nothing: their groups have a [`queue`] in place of a [`slot`].

mod begin;
mod group;
mod hub;
mod queue;
mod slot;
mod subscriber;
mod ticker;

pub use begin::Feed;
pub use group::GroupKey;
pub use hub::Hub;
pub use subscriber::{Reservation, Said, Seat, Subscriber};

/// Subscriptions that one connection may have.
pub const MAX_SUBSCRIPTIONS: usize = 64;
