"""What every journal has to keep, whichever database it is in: `journals.contract`."""
