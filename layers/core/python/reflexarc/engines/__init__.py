"""Pure machinery that several slices share: the rule language, OTLP's wire form, redaction."""
