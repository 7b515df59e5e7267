"""What things cost, measured side by side on the machine at hand."""
