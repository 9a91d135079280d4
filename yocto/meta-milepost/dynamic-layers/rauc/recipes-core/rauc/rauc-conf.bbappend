# Whom the unit believes an update: a PEM file with the certificate of the authority that signs bundles. No such file is in this
# layer, and no key. It is found by its folder, since bitbake unpacks a file with a path below all of its folders.
FILESEXTRAPATHS:prepend:milepost := "${THISDIR}/files:${@os.path.dirname(d.getVar('MILEPOST_UPDATE_AUTHORITY') or '')}:"
RAUC_KEYRING_FILE:milepost = "${@os.path.basename(d.getVar('MILEPOST_UPDATE_AUTHORITY') or 'missing.pem')}"
RAUC_KEYRING_URI:milepost = "file://${RAUC_KEYRING_FILE}"

# nooelint: oelint.task.noanonpython,oelint.vars.noncoreoverride
python () {
    if 'milepost' in d.getVar('DISTROOVERRIDES').split(':') and not d.getVar('MILEPOST_UPDATE_AUTHORITY'):
        raise bb.parse.SkipRecipe("set MILEPOST_UPDATE_AUTHORITY to the certificate of whoever signs updates")
}

# meta-rauc's own place for both has moved between series (/etc/rauc, /usr/lib/rauc), so they are filled in where it put them.
do_install:append:milepost() {
    keyring=$(find ${D} -type f -name ${RAUC_KEYRING_FILE})
    find ${D} -name system.conf -exec sed -i \
        -e 's|@LOADER@|${MILEPOST_LOADER}|' \
        -e 's|@LOADER_LINES@|${MILEPOST_LOADER_LINES}|' \
        -e 's|@MACHINE@|${MACHINE}|' \
        -e "s|@KEYRING@|${keyring#${D}}|" \
        -e 's|@VERSION@|${MILEPOST_VERSION}|' {} +
}
