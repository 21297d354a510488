"""The types that `artifact.add` accepts: tables and partitioned tables."""

from headwater._tables.partitioned import PartitionedTable as PartitionedTable
from headwater._tables.table import Table as Table

__all__ = ["PartitionedTable", "Table"]
