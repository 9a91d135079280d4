FILESEXTRAPATHS:prepend:milepost := "${THISDIR}/../../../../recipes-kernel/linux/files:"

SRC_URI:append:milepost = " file://milepost.cfg"
