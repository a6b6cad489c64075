"""On-call shifts: who is on call, overrides, and notices to them."""
