"""Tables of metrics, whatever program wrote them: CSV and JSON lines, a row for each report of an iteration."""
