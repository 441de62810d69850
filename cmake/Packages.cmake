# What is installed besides the program and the library, and the Debian package that CPack makes of all of it: `cpack -G DEB`.
# The manual page and the completions are written by the program itself.
set(written ${CMAKE_CURRENT_BINARY_DIR}/share)
file(MAKE_DIRECTORY ${written})
find_program(GZIP gzip REQUIRED)
add_custom_command(
  OUTPUT ${written}/lastbit.1.gz ${written}/lastbit.bash ${written}/_lastbit ${written}/lastbit.fish
  COMMAND lastbit man > ${written}/lastbit.1
  COMMAND ${GZIP} -9nf ${written}/lastbit.1
  COMMAND lastbit completion bash > ${written}/lastbit.bash
  COMMAND lastbit completion zsh > ${written}/_lastbit
  COMMAND lastbit completion fish > ${written}/lastbit.fish
  DEPENDS lastbit)
add_custom_target(lastbit_share ALL DEPENDS ${written}/lastbit.1.gz)
install(FILES ${written}/lastbit.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${written}/lastbit.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME lastbit)
install(FILES ${written}/_lastbit DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${written}/lastbit.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

file(GLOB schemas CONFIGURE_DEPENDS docs/schemas/*.json)
file(GLOB pages CONFIGURE_DEPENDS docs/*.md)
install(FILES ${schemas} DESTINATION ${CMAKE_INSTALL_DATADIR}/lastbit/schemas)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "lastbit")
set(CPACK_PACKAGE_CONTACT "lastbit <lastbit@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "numerical verification of quantized neural networks")
set(CPACK_PACKAGE_DESCRIPTION
    "Recomputes every layer of a dump of a quantized runtime bit-exactly, diffs the result\nwith what the runtime dumped, and names the cause of every differing element.\nHolds the program, the engine as a library with its headers, and the JSON schemas.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libeigen3-dev, nlohmann-json3-dev, libboost-dev, libhwy-dev, libminizip-dev, zlib1g-dev")  # to link with the library
include(CPack)
