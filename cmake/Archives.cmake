# Every shared library that a program needs costs it a twentieth of a millisecond and more before main: where small ones lie beside their archives,
# those are linked instead. Not in a shared library, whose code has to be position independent.
option(LASTBIT_ARCHIVES "Link zlib, minizip, pugixml and libmd as archives where there are any" ON)

# lastbit_archive(SHARED RESULT): the archive beside a shared library's file, or nothing.
function(lastbit_archive shared result)
  string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${shared}")
  if(archive STREQUAL shared OR NOT EXISTS "${archive}")
    set(archive "")
  endif()
  set(${result} "${archive}" PARENT_SCOPE)
endfunction()

if(LASTBIT_ARCHIVES AND NOT BUILD_SHARED_LIBS AND NOT CMAKE_POSITION_INDEPENDENT_CODE)
  lastbit_archive("${ZLIB_LIBRARIES}" archive)
  if(archive)
    set_target_properties(ZLIB::ZLIB PROPERTIES IMPORTED_LOCATION "${archive}" IMPORTED_LOCATION_RELEASE "${archive}")
    list(FILTER minizip_LINK_LIBRARIES INCLUDE REGEX "minizip")
    lastbit_archive("${minizip_LINK_LIBRARIES}" archive)
    if(archive)
      add_library(lastbit_minizip STATIC IMPORTED)  # a target: so that zlib comes after it
      set_target_properties(lastbit_minizip PROPERTIES IMPORTED_LOCATION "${archive}" INTERFACE_LINK_LIBRARIES ZLIB::ZLIB)
      set_target_properties(PkgConfig::minizip PROPERTIES INTERFACE_LINK_LIBRARIES lastbit_minizip)
    endif()
  endif()
  lastbit_archive("${libmd_LINK_LIBRARIES}" archive)
  if(archive)
    set_target_properties(PkgConfig::libmd PROPERTIES INTERFACE_LINK_LIBRARIES "${archive}")
  endif()
  if(TARGET pugixml::static AND TARGET pugixml::pugixml)
    set_target_properties(pugixml::pugixml PROPERTIES INTERFACE_LINK_LIBRARIES pugixml::static)
  endif()
endif()
