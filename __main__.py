"""VitalStream's monitoring: reads the settings and deploys the stack."""

import signal

import pulumi

from components import stack
from components.settings import loader
from components.settings.warnings import warnings

# The engine interrupts the program once a resource has failed. The failure is what people need to
# read then, not a traceback of where this program was.
signal.signal(signal.SIGINT, signal.SIG_DFL)

settings = loader.load(pulumi.get_stack())
for warning in warnings(settings):
    pulumi.log.warn(warning)
for service, url in stack.deploy(settings).items():
    pulumi.export(service, url)
