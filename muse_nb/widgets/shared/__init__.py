"""What the viewers have in common: the browser side, transport, pictures for exports."""
