"""What the kinds of masters have in common: limits, measured numbers, the chip behind them."""
