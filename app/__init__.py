"""VitalStream's own side of its monitoring: what the backend's code imports to be measured."""
