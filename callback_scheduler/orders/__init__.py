"""The order itself: states, life, deadline, evidence, verdict and causes; pure, without disk or clock."""
