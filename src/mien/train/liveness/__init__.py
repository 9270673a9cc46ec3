"""The liveness net that ships with Mien: photos, composites, teachers, training, export."""
