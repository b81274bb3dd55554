# How targets are compiled, for the time that it takes.

# touchstone_compile_together(<target>): the sources of each folder are compiled up to eight together,
# which takes a third of the time. OFF is for whoever edits one file again and again. What a fault may
# be planted in (reference/ops, model, checkpoint) is never compiled together: its object alone is
# exchanged.
option(TOUCHSTONE_UNITY "compile up to eight sources of a folder together" ON)
function(touchstone_compile_together target)
  get_target_property(sources ${target} SOURCES)
  set(folders)
  foreach(source ${sources})
    cmake_path(GET source PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER "together_${folder}" folder)
    list(APPEND folders ${folder})
    list(APPEND ${folder} ${source})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder ${folders})
    list(SORT ${folder})
    list(LENGTH ${folder} length)
    math(EXPR groups "(${length} + 7) / 8")
    set(index 0)
    foreach(source ${${folder}})
      math(EXPR group "${index} * ${groups} / ${length}")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${group})
      math(EXPR index "${index} + 1")
    endforeach()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${TOUCHSTONE_UNITY} UNITY_BUILD_MODE GROUP)
  # A class of a source file may have a member whose type no other file sees.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()

# touchstone_quick_to_compile(<target>): programs and tests spend their time in the libraries below
# them; what optimising them takes is not got back. Sanitized, it takes twice as long.
function(touchstone_quick_to_compile target)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# touchstone_not_sanitized(<target>...): the sanitized suite runs none of these, unless it is the
# whole one, which builds target left_out_of_sanitized too.
function(touchstone_not_sanitized)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    set_target_properties(${ARGN} PROPERTIES EXCLUDE_FROM_ALL ON)
    if(NOT TARGET left_out_of_sanitized)
      add_custom_target(left_out_of_sanitized)
    endif()
    add_dependencies(left_out_of_sanitized ${ARGN})
  endif()
endfunction()
