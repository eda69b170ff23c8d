"""The audit: everything rebuilt from entries and content, and compared with what is stored."""
