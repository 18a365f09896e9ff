const box=document.querySelector("input"),rows=[...document.querySelectorAll("tbody tr")];
box.hidden=false;
box.addEventListener("input",()=>{
  const wanted=box.value.toLowerCase();
  for(const row of rows)row.hidden=!row.cells[0].textContent.toLowerCase().includes(wanted);
});
