"""Database machinery without features: the writer, readers, engines, leadership, compiled statements, migrations."""
