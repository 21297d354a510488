"""What each page shows: functions of the queries and of what an address says, which return plain data."""
