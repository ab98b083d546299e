// Carries the precompiled headers that the libraries share (cmake/thimble.cmake); nothing else.
