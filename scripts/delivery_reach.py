"""How far re-deliveries move a picture's log-odds: the largest fall and rise over many records.

realscope scan --all-deliveries --format ndjson FILES... | python3 scripts/delivery_reach.py

The numbers of a card's `delivery_reach` are those of training pictures, times 1.5.
"""

import json
import math
import sys


def odds(p):
    return math.log(p / (1 - p))


pictures, fall, rise = 0, 0.0, 0.0
for line in sys.stdin:
    record = json.loads(line)
    if record["error"] or not record["interval"]:
        continue
    pictures += 1
    native = odds(record["probability"])
    fall = max(fall, native - odds(record["interval"]["low"]))
    rise = max(rise, odds(record["interval"]["high"]) - native)
print(f"{pictures} pictures: fall {fall:.3f}, rise {rise:.3f}; times 1.5: [{1.5 * fall:.2f}, {1.5 * rise:.2f}]")
