"""The whole product on one machine: an AWS emulator, stand-ins for the vendors, the real agent."""
