"""Bytes of attachments: store, fetch, scan, open local paths, detect media types."""
