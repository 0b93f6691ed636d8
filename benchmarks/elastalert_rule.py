"""Runs in ElastAlert 2's own environment: its FrequencyRule over the events of a file; prints seconds and groups."""

import csv
import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from elastalert.ruletypes import FrequencyRule

with Path(sys.argv[1]).open(newline="") as file:
    events = [{"@timestamp": datetime.fromisoformat(at), "remote_host": host} for at, host in csv.reader(file)]
settings = {"num_events": 10, "timeframe": timedelta(minutes=30), "query_key": "remote_host"}
rule = FrequencyRule(settings | {"timestamp_field": "@timestamp"})
began = time.perf_counter()
rule.add_data(events)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "groups": sorted({match["remote_host"] for match in rule.matches})}))
