SUMMARY = "A unit for a pole: read-only, without accounts to log in to, updated as a whole"
DESCRIPTION = "The appliance, what it needs, and nothing that listens or lets somebody in besides."
SECTION = "images"
LICENSE = "Apache-2.0"

inherit core-image features_check milepost_distro

REQUIRED_DISTRO_FEATURES = "systemd usrmerge"

IMAGE_FEATURES = "read-only-rootfs"
IMAGE_LINGUAS = ""
# What its parts recommend comes along: systemd recommends its own network service, its tools for credentials and the libraries by
# which it filters system calls, and does without a word where they are missing. Not so what would call every system good as
# soon as it has started (milepost-good does, once the appliance works), nor names of devices that no unit has.
BAD_RECOMMENDATIONS = "rauc-mark-good udev-hwdb"

# A decoder for H.264 and H.265 where the distribution accepts its licence.
MILEPOST_DECODERS ??= ""
IMAGE_INSTALL = "\
    packagegroup-core-boot \
    ca-certificates \
    kernel-image \
    kernel-modules \
    milepost \
    milepost-system \
    tzdata-core \
    ${MILEPOST_DECODERS} \
    ${@bb.utils.contains('BBFILE_COLLECTIONS', 'rauc', 'milepost-update', '', d)} \
"

IMAGE_FSTYPES = "ext4 wic.zst wic.bmap"
WKS_FILE = "milepost-${MACHINE}.wks.in"
# nooelint: oelint.task.noanonpython
python () {
    if d.getVar('WKS_FULL_PATH') == '':
        raise bb.parse.SkipRecipe('no layer has files/wic/%s, the plan of the disk for this MACHINE' % d.getVar('WKS_FILE'))
}
# Both slots are of this size, in KiB, so that any later system fits.
MILEPOST_SLOT_SIZE ?= "1048576"
IMAGE_ROOTFS_SIZE = "${MILEPOST_SLOT_SIZE}"
IMAGE_ROOTFS_EXTRA_SPACE = "0"
IMAGE_OVERHEAD_FACTOR = "1"

# No door: no getty on any console, no account with a password, no shell that a serial cable reaches.
SYSTEMD_DEFAULT_TARGET = "multi-user.target"
ROOTFS_POSTPROCESS_COMMAND += "milepost_shut_doors"
milepost_shut_doors[doc] = "Masks every getty, locks every password, takes root's shell away"
milepost_shut_doors() {
    for unit in getty@.service serial-getty@.service console-getty.service debug-shell.service emergency.service \
        rescue.service; do
        ln -sf /dev/null ${IMAGE_ROOTFS}${sysconfdir}/systemd/system/$unit
    done
    sed -i -e 's|^\([^:]*\):[^:]*:|\1:*:|' ${IMAGE_ROOTFS}${sysconfdir}/shadow
    sed -i -e 's|^\(root:.*:\)[^:]*$|\1${base_sbindir}/nologin|' ${IMAGE_ROOTFS}${sysconfdir}/passwd
}

# What must never leave the workshop stops the build: the same judge as for the Debian package.
IMAGE_QA_COMMANDS += "milepost_image_qa"
milepost_image_qa[doc] = "Stops the build where an account, a remote shell or a private key got into the image"
fakeroot python milepost_image_qa() {
    judge = os.path.normpath(d.getVar('THISDIR') + '/../../../../systemd/check-root')
    try:
        bb.process.run([judge, d.getVar('IMAGE_ROOTFS')])
    except bb.process.CmdError as error:
        bb.fatal(str(error))
}
