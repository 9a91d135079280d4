FILESEXTRAPATHS:prepend:milepost := "${THISDIR}/files:"
