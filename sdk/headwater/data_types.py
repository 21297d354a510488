"""What `artifact.add` takes beside files: tables, and tables in parts."""

from headwater._partitioned import PartitionedTable as PartitionedTable
from headwater._table import Table as Table

__all__ = ["PartitionedTable", "Table"]
