"""One module a migration; the file's number is the schema's."""
