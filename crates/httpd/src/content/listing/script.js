(()=>{
  const box=document.querySelector("input[name=filter]"),status=document.querySelector("[role=status]");
  const rows=[...document.querySelectorAll("tbody tr,.grid li")];
  if(!rows.length)return;
  const names=rows.map(row=>row.querySelector("bdi").textContent.toLowerCase()),total=status.textContent;
  const apply=()=>{
    const wanted=box.value.trim().toLowerCase(),url=new URL(location);
    let shown=0;
    rows.forEach((row,number)=>{
      row.hidden=!names[number].includes(wanted);
      if(!row.hidden)shown++;
    });
    status.textContent=!wanted?total:shown?`${shown} of ${rows.length} names match`:"No name matches";
    if(wanted)url.searchParams.set("filter",box.value);
    else url.searchParams.delete("filter");
    if(url.href!==location.href)history.replaceState(null,"",url);
  };
  const restore=()=>{
    box.value=new URLSearchParams(location.search).get("filter")??"";
    apply();
  };
  box.disabled=box.hidden=false;
  restore();
  addEventListener("pageshow",restore);
  box.addEventListener("input",apply);
  box.addEventListener("keydown",event=>{
    if(event.key==="Enter"){
      event.preventDefault();
      const left=rows.filter(row=>!row.hidden);
      if(left.length===1)left[0].querySelector("a").click();
    }
    if(event.key==="Escape"&&box.value){
      event.preventDefault();
      box.value="";
      apply();
    }
  });
  box.form.addEventListener("submit",()=>box.disabled=!box.value);
  addEventListener("keydown",event=>{
    if(event.key!=="/"||event.ctrlKey||event.metaKey||event.altKey||event.target===box)return;
    event.preventDefault();
    box.focus();
  });
})();
