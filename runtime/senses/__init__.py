"""What one sense's samples become before they are fused: evidence, and the newest tokens."""
