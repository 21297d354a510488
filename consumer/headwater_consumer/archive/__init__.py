"""Archives of logs: raw records in files that nothing of ours is needed to read.

An archive has the records of one or several logs, each in files of a range of offsets of one partition, see
`headwater_schemas.archive_files` for their names. A file counts once its manifest is there, which is written last.
Ranges may overlap, as two archivers at once make them: both have the same records, since offsets are never used twice.
"""
