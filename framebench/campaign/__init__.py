"""From suites and images to records: the plan, how long it takes, and the campaign that runs it."""
