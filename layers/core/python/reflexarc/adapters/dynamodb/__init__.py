"""Ports filled by the incidents table; `rows` holds the layout, `errors` what may go wrong."""
