"""Does something to the state behind Tollgate's back: sql.py FILE STATEMENT…"""

import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    for row in connection.execute(statement):
        print(*row)
