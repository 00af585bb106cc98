package s3store

// PartSize lets the tests see the size of the parts of objects that no test stores.
var PartSize = partSize
