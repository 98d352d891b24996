"""Example handlers, one file each, made to be copied. `template.yaml` deploys five of them."""
