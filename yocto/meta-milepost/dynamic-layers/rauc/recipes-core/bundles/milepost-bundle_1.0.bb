SUMMARY = "Update of a unit's system"
DESCRIPTION = "A signed RAUC bundle of format verity with the whole system for one kind of board."
SECTION = "base"
LICENSE = "Apache-2.0"

# It is made of images, not of sources.
SRC_URI = ""

inherit bundle milepost_distro

RAUC_BUNDLE_COMPATIBLE = "milepost-${MACHINE}"
RAUC_BUNDLE_VERSION = "${MILEPOST_VERSION}"
RAUC_BUNDLE_DESCRIPTION = "Milepost for ${MACHINE}"
RAUC_BUNDLE_FORMAT = "verity"

RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "milepost-image"
RAUC_SLOT_rootfs[fstype] = "ext4"

# The signer's key and certificate lie with the signer: files, or a PKCS#11 address of a token.
RAUC_KEY_FILE ?= "${MILEPOST_UPDATE_KEY}"
RAUC_CERT_FILE ?= "${MILEPOST_UPDATE_CERTIFICATE}"

# nooelint: oelint.task.noanonpython
python () {
    if not d.getVar('RAUC_KEY_FILE') or not d.getVar('RAUC_CERT_FILE'):
        raise bb.parse.SkipRecipe("set MILEPOST_UPDATE_KEY and MILEPOST_UPDATE_CERTIFICATE to what signs updates")
}
