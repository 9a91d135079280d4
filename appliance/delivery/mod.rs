mod events;
mod outbox;
mod pace;
mod receipts;
mod shelf;
mod topics;
