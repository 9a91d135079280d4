FILESEXTRAPATHS:prepend:milepost := "${THISDIR}/files:"

SRC_URI:append:milepost = " file://milepost.cfg"
