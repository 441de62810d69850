# lastbit_table(<out> <folder> <type> <header> <accessor>)
#
# The folder is the registry: every NAME.cpp in it defines one function NAME() returning a <type>, and <accessor>() returns
# them all, in the order of their file names. A file whose name ends in "_" would clash with a C++ keyword without it.
function(lastbit_table out folder type header accessor)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  get_filename_component(space ${folder} NAME)
  set(declarations "")
  set(calls "")
  foreach(file IN LISTS files)
    get_filename_component(entry ${file} NAME_WE)
    string(APPEND declarations "${type} ${entry}();\n")
    string(APPEND calls "    v->push_back(${space}::${entry}());\n")
  endforeach()
  list(LENGTH files count)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/tables/${accessor}.cpp @ONLY CONTENT
"// Written by cmake/Table.cmake from the files of @folder@.
#include \"@header@\"
namespace lastbit::@space@ {
@declarations@}
namespace lastbit {
const std::vector<@type@>& @accessor@() {
  static const auto& all = *[] {  // never taken apart: the end of a program should not cost what its start does
    auto* v = new std::vector<@type@>;
    v->reserve(@count@);
@calls@    return v;
  }();
  return all;
}
}
")
  set(${out} ${files} ${CMAKE_CURRENT_BINARY_DIR}/tables/${accessor}.cpp PARENT_SCOPE)
endfunction()

# lastbit_profile_files(<out>)
#
# The same for lib/profiles, whose entries are large: profile_files() lists them by name (the file's, with "-" for "_"), and each is made when it is
# first asked for (lib/profile/registry.hpp).
function(lastbit_profile_files out)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/lib/profiles/*.cpp)
  set(declarations "")
  set(entries "")
  foreach(file IN LISTS files)
    get_filename_component(entry ${file} NAME_WE)
    string(REPLACE "_" "-" name ${entry})
    string(APPEND declarations "Profile ${entry}();\n")
    string(APPEND entries "    {\"${name}\", profiles::${entry}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/tables/profile_files.cpp @ONLY CONTENT
"// Written by cmake/Table.cmake from the files of lib/profiles.
#include \"lib/profile/registry.hpp\"
namespace lastbit::profiles {
@declarations@}
namespace lastbit {
std::span<const ProfileFile> profile_files() {
  static constexpr ProfileFile all[] = {
@entries@  };
  return all;
}
}
")
  set(${out} ${files} ${CMAKE_CURRENT_BINARY_DIR}/tables/profile_files.cpp PARENT_SCOPE)
endfunction()
