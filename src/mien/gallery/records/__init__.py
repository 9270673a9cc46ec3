"""All SQL of Mien: tables, migrations, and one module for each thing that is kept."""
