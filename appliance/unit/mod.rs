//! The one place that wires the rooms into a unit: started in the order of the data, stopped in reverse.

mod pulse;
mod saved;
