"""What `artifact.add` takes beside files: tables, and tables in parts."""

from headwater._tables.partitioned import PartitionedTable as PartitionedTable
from headwater._tables.table import Table as Table

__all__ = ["PartitionedTable", "Table"]
