// Package pack writes a disk in the forms that have to be written to be known:
// archives, compressed files, and formats whose layout depends on what compression
// makes of the data. What can be computed as it is read is package view's.
//
// Each function takes the disk as a [cosafs/materialize/disk/view.Image], or as a raw
// file where qemu-img does the work, and ends with its ctx. The same disk, options and
// tools give the same bytes, unless the function says otherwise.
package pack
