"""A kind of channel that reflexarc lacks, as CONTRIBUTING's recipe adds it."""
